//! The kernel lets one removal at a time into a directory: others would wait inside of it, and hold a worker each.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared::walk::{Call, End, Kernel, Options};

use crate::direct::{quick_tempdir, sweep_all};

#[derive(Default)]
struct InFlight {
    now: HashMap<String, usize>,
    peak_of_one: usize,
    peak_of_all: usize,
    calls: HashMap<Call, usize>,
}

impl InFlight {
    fn begin(&mut self, call: Call, directory: &str) {
        *self.calls.entry(call).or_default() += 1;
        let now = self.now.entry(directory.to_owned()).or_default();
        *now += 1;
        self.peak_of_one = self.peak_of_one.max(*now);
        self.peak_of_all = self.peak_of_all.max(self.now.values().sum());
    }

    fn end(&mut self, directory: &str) {
        *self.now.get_mut(directory).unwrap() -= 1;
    }
}

#[test]
fn removals_in_one_directory_take_turns_and_those_in_several_overlap() {
    const WIDE: usize = 6;
    let root = quick_tempdir();
    // An entry's name begins with the name of its directory.
    for directory in 0..WIDE {
        let path = root.path().join(format!("{directory}"));
        fs::create_dir(&path).unwrap();
        for number in 0..WIDE {
            fs::write(path.join(format!("{directory}-f{number}")), "").unwrap();
            let child = path.join(format!("{directory}-c{number}"));
            fs::create_dir(&child).unwrap();
            for file in 0..2 {
                let name = format!("{directory}-c{number}-f{file}");
                fs::write(child.join(name), "").unwrap();
            }
        }
    }
    let in_flight = Arc::new(Mutex::new(InFlight::default()));
    let seen = Arc::clone(&in_flight);
    let kernel = Kernel::disturbed(move |call, name| {
        if matches!(call, Call::Unlink | Call::RemoveDir) {
            let name = name.to_str().unwrap();
            let directory = name.rsplit_once('-').map_or("", |(directory, _)| directory);
            seen.lock().unwrap().begin(call, directory);
            // A server takes its time.
            std::thread::sleep(Duration::from_millis(2));
            seen.lock().unwrap().end(directory);
        }
        Ok(())
    });
    let outcome = sweep_all(root.path(), kernel, Options::default());
    assert_eq!(outcome.end, End::Complete);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    let in_flight = in_flight.lock().unwrap();
    assert_eq!(in_flight.calls[&Call::Unlink], WIDE * WIDE * 3);
    assert_eq!(in_flight.calls[&Call::RemoveDir], WIDE * WIDE + WIDE);
    assert_eq!(in_flight.peak_of_one, 1);
    assert!(in_flight.peak_of_all > 1, "{}", in_flight.peak_of_all);
}
