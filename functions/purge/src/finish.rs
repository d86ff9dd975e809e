//! The end of a plan: directories that became empty go, and everything is added up.
//!
//! A directory that several ranges were at goes if each of them has left nothing in it; so do all others that were noted.
//! Whatever was put into one since then keeps it: only an empty directory can be removed.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use serde_json::json;
use shared::walk::{End, Token, Totals};

use crate::answer::{Answer, Status};
use crate::error::PurgeError;
use crate::job::{Ended, Stage};
use crate::notes::{self, Noted};
use crate::plan_file::{Pass, UnitRange, names};
use crate::planned::{Planned, failed};
use crate::tally::Counts;

/// Directories that are kept in mind at once: some 10 MB.
const CHUNK: usize = 20_000;

/// What a token of this pass says, before the options.
const PASS: &str = "finish";

/// The last step of a plan.
pub(crate) struct Finish<'a> {
    planned: &'a Planned,
    /// Of all that is done.
    totals: Totals<Counts>,
    /// Of what was done before this invocation.
    before: Totals<Counts>,
    chunk: Vec<Noted>,
    /// Which one.
    number: u32,
    /// The one to begin with, and how far it came.
    begin_at: u32,
    resume: Option<Token<Counts>>,
}

/// Whether there is time for more.
enum Next {
    GoOn,
    Answer(Box<Answer>),
}

impl<'a> Finish<'a> {
    pub(crate) fn new(planned: &'a Planned, resume: Option<&str>) -> Result<Self, PurgeError> {
        // Only now is it known that every range is done.
        let totals = planned.totals(Pass::Sweep)?;
        let (begin_at, resume) = match resume {
            Some(resume) => {
                let (number, token) = planned.get_resume(resume)?;
                (number, Some(token))
            }
            None => (0, None),
        };
        let totals = resume.as_ref().map_or(totals, |token| token.totals.clone());
        Ok(Self {
            planned,
            before: totals.clone(),
            totals,
            chunk: Vec::new(),
            number: 0,
            begin_at,
            resume,
        })
    }

    pub(crate) fn run(mut self) -> Result<Answer, PurgeError> {
        if self.planned.job.request.empty_dirs_max.is_some()
            && let Next::Answer(answer) = self.empty_dirs()?
        {
            return Ok(*answer);
        }
        let planned = self.planned;
        let excess = planned.job.check_totals(&self.totals).err();
        let mut answer = planned.answer_of(self.totals.clone(), self.before.clone(), false);
        if let Some(excess) = excess.filter(|_| answer.dry_run) {
            answer.status = Status::Refused;
            answer.reason = Some(excess.to_string());
        }
        planned.put(names::RESULT, &json!(answer))?;
        self.forget()?;
        Ok(answer)
    }

    /// The lists are not needed any more. What came of each range stays, so that a late repetition does nothing.
    fn forget(&self) -> Result<(), PurgeError> {
        for range in &self.planned.file.ranges {
            for list in self.lists(*range)? {
                let removed = self.planned.folder.remove(&list);
                removed.map_err(|source| failed(&list, source))?;
            }
        }
        Ok(())
    }

    fn empty_dirs(&mut self) -> Result<Next, PurgeError> {
        let file = &self.planned.file;
        let shared = file
            .plan
            .shared(file.ranges.iter().map(|range| range.from..range.to));
        let mut left_by: HashMap<Noted, usize> = HashMap::new();
        for range in &file.ranges {
            let mut here = HashSet::new();
            for list in self.lists(*range)? {
                let failed = |source| failed(&list, source);
                for noted in notes::read(&self.planned.folder, &list).map_err(failed)? {
                    let noted = noted.map_err(failed)?;
                    if shared.contains_key(&noted.0) {
                        here.insert(noted);
                    } else if let Next::Answer(answer) = self.push(noted)? {
                        return Ok(Next::Answer(answer));
                    }
                }
            }
            for noted in here {
                *left_by.entry(noted).or_default() += 1;
            }
        }
        let all = left_by.into_iter();
        let mut left: Vec<Noted> = all
            .filter(|((path, _), ranges)| shared.get(path) == Some(ranges))
            .map(|(noted, _)| noted)
            .collect();
        // Children first, also where a chunk ends between them.
        left.sort_by(|a, b| (Reverse(a.0.len()), a).cmp(&(Reverse(b.0.len()), b)));
        for noted in left {
            if let Next::Answer(answer) = self.push(noted)? {
                return Ok(Next::Answer(answer));
            }
        }
        self.leave()
    }

    /// The lists of the directories that a range has left nothing in.
    fn lists(&self, range: UnitRange) -> Result<Vec<String>, PurgeError> {
        let done = self.planned.range_done(Pass::Sweep, range)?;
        let slices = 0..done.map_or(0, |done| done.slices);
        Ok(slices.map(|slice| names::empty(range, slice)).collect())
    }

    fn push(&mut self, noted: Noted) -> Result<Next, PurgeError> {
        self.chunk.push(noted);
        if self.chunk.len() < CHUNK {
            return Ok(Next::GoOn);
        }
        self.leave()
    }

    /// Removes the directories of a chunk, or counts them.
    fn leave(&mut self) -> Result<Next, PurgeError> {
        let paths = std::mem::take(&mut self.chunk);
        let number = self.number;
        self.number += 1;
        if number < self.begin_at || paths.is_empty() {
            return Ok(Next::GoOn);
        }
        let Planned {
            job, root, file, ..
        } = self.planned;
        let name = format!("{}/{}", job.name(PASS), self.planned.name);
        let token = self.resume.take().unwrap_or_else(|| {
            let mut token = Token::to_leave(paths, name.clone(), file.root_inode, file.began_at_ms);
            token.totals = self.totals.clone();
            token
        });
        let stage = Stage {
            name,
            part: number as usize,
            mode: job.request.mode,
            empty_dirs: job.empty_dirs_after(token.totals.tally.dirs_to_purge),
            began_at_ms: file.began_at_ms,
            resume: Some(token),
        };
        let outcome = job.walk(root, stage)?;
        self.totals = outcome.snapshot.totals.clone();
        if outcome.end == End::Complete {
            return Ok(Next::GoOn);
        }
        let resume = match &outcome.resume {
            Some(token) => Some(self.planned.put_resume(number, token)?),
            None => None,
        };
        let ended = Ended {
            before: self.before.clone(),
            outcome,
            began_at_ms: file.began_at_ms,
            only_counted: false,
            excess: None,
            duration: job.at.began.elapsed(),
            resume,
        };
        Ok(Next::Answer(Box::new(job.answer(root, ended))))
    }
}
