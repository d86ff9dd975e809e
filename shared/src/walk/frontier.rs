//! What is to be read next. Last in, first out, so that a tree is walked depth first and little waits.

/// Directories that wait, and readers that stand aside because too many do.
#[derive(Debug)]
pub(super) struct Frontier<D, R> {
    ready: Vec<D>,
    parked: Vec<R>,
    ready_max: usize,
    parked_max: usize,
}

/// The next thing to do.
#[derive(Debug, PartialEq)]
pub(super) enum Next<D, R> {
    /// Begin this directory.
    Begin(D),
    /// Go on with this reader.
    GoOn(R),
}

impl<D, R> Frontier<D, R> {
    pub(super) const fn new(ready_max: usize, parked_max: usize) -> Self {
        Self {
            ready: Vec::new(),
            parked: Vec::new(),
            ready_max,
            parked_max,
        }
    }

    pub(super) fn extend(&mut self, directories: impl IntoIterator<Item = D>) {
        self.ready.extend(directories);
    }

    /// Whether a reader should stand aside instead of finding more directories.
    ///
    /// Each one holds a descriptor, so there is a limit to that too; beyond it the frontier grows, which takes a tree
    /// with hundreds of nested directories of more than one buffer each.
    pub(super) fn is_full(&self) -> bool {
        self.ready.len() >= self.ready_max && self.parked.len() < self.parked_max
    }

    pub(super) fn park(&mut self, reader: R) {
        self.parked.push(reader);
    }

    /// Directories first; readers go on once half of the frontier is free.
    pub(super) fn next(&mut self) -> Option<Next<D, R>> {
        if self.ready.len() <= self.ready_max / 2
            && let Some(reader) = self.parked.pop()
        {
            return Some(Next::GoOn(reader));
        }
        self.ready.pop().map(Next::Begin)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.parked.is_empty()
    }

    pub(super) fn ready(&self) -> &[D] {
        &self.ready
    }

    pub(super) fn parked(&self) -> &[R] {
        &self.parked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_directory_comes_first() {
        let mut frontier = Frontier::<_, ()>::new(4, 1);
        frontier.extend([1, 2, 3]);
        assert_eq!(frontier.next(), Some(Next::Begin(3)));
        frontier.extend([4]);
        assert_eq!(frontier.next(), Some(Next::Begin(4)));
    }

    #[test]
    fn a_reader_stands_aside_from_the_cap_on_and_goes_on_at_half_of_it() {
        let mut frontier = Frontier::new(4, 1);
        frontier.extend([1, 2, 3]);
        assert!(!frontier.is_full());
        frontier.extend([4]);
        assert!(frontier.is_full());
        frontier.park("a");
        assert!(!frontier.is_full(), "one reader may stand aside here");
        assert_eq!(frontier.next(), Some(Next::Begin(4)));
        assert_eq!(frontier.next(), Some(Next::Begin(3)));
        assert_eq!(frontier.next(), Some(Next::GoOn("a")));
        assert_eq!(frontier.next(), Some(Next::Begin(2)));
        assert_eq!(frontier.next(), Some(Next::Begin(1)));
        assert_eq!(frontier.next(), None);
        assert!(frontier.is_empty());
    }
}
