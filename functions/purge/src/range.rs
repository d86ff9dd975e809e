//! A part of a plan, by one invocation after the other until it is done.

use std::sync::Arc;

use serde_json::json;
use shared::payload::bad_field;
use shared::walk::{End, Outcome, Token, TokenError, Totals};

use crate::answer::{Answer, Status};
use crate::empty_dirs::EmptyDirs;
use crate::error::PurgeError;
use crate::job::{Ended, Stage};
use crate::notes::Notes;
use crate::plan_file::{Checked, Pass, RangeDone, UnitRange, names};
use crate::planned::{Planned, failed};
use crate::sweep::Mode;
use crate::tally::Counts;

impl Planned {
    pub(crate) fn range(
        &self,
        range: UnitRange,
        pass: Pass,
        resume: Option<&str>,
    ) -> Result<Answer, PurgeError> {
        if !self.file.ranges.contains(&range) {
            let given = json!({"from": range.from, "to": range.to});
            return Err(bad_field("range", given, "one of the plan's ranges").into());
        }
        let mode = self.job.mode(pass);
        if mode == Mode::Remove {
            self.is_allowed()?;
        }
        let part = names::of(pass, range);
        let name = format!("{}/{}/{part}", self.job.name("plan"), self.name);
        let (slice, token) = self.begin(&name, range, resume)?;
        let before = token.totals.clone();
        let notes = match (pass, self.job.request.empty_dirs_max) {
            (Pass::Sweep, Some(_)) => Some(Arc::new(self.notes(range, slice)?)),
            _ => None,
        };
        let stage = Stage {
            name,
            part: 0,
            mode,
            empty_dirs: notes.clone().map_or(EmptyDirs::Stay, EmptyDirs::Noted),
            began_at_ms: self.file.began_at_ms,
            resume: Some(token),
        };
        let outcome = self.job.walk(&self.root, stage)?;
        // What hangs would keep this thread too; then the directories noted here stay.
        if let Some(notes) = notes.filter(|_| outcome.end != End::Stalled) {
            let name = names::empty(range, slice);
            notes.keep().map_err(|source| failed(&name, source))?;
        }
        self.range_answer(outcome, before, (pass, range), slice + 1)
    }

    fn range_answer(
        &self,
        outcome: Outcome<Counts>,
        before: Totals<Counts>,
        (pass, range): (Pass, UnitRange),
        slices: u32,
    ) -> Result<Answer, PurgeError> {
        let resume = match &outcome.resume {
            Some(token) => Some(self.put_resume(slices, token)?),
            None => None,
        };
        let totals = outcome.snapshot.totals.clone();
        let ended = Ended {
            outcome,
            began_at_ms: self.file.began_at_ms,
            only_counted: pass == Pass::Count,
            excess: None,
            before,
            duration: self.job.at.began.elapsed(),
            resume,
        };
        let answer = self.job.answer(&self.root, ended);
        if answer.status == Status::Complete {
            let done = RangeDone {
                answer: json!(answer),
                totals,
                slices,
            };
            self.put(&names::done(pass, range), &done)?;
        } else if answer.status == Status::Incomplete {
            // An answer that gets lost on its way must not be worked for twice: what is removed is in no second count.
            self.put(&names::slice(pass, range, slices - 1), &json!(answer))?;
        }
        Ok(answer)
    }

    fn notes(&self, range: UnitRange, slice: u32) -> Result<Notes, PurgeError> {
        let name = names::empty(range, slice);
        Notes::begin(&self.folder, &name).map_err(|source| failed(&name, source))
    }

    /// Where to begin: at the range's units, or where an earlier invocation stopped.
    fn begin(
        &self,
        job: &str,
        range: UnitRange,
        resume: Option<&str>,
    ) -> Result<(u32, Token<Counts>), PurgeError> {
        let Some(resume) = resume else {
            let (units, job) = (range.from..range.to, job.to_owned());
            let inode = self.file.root_inode;
            let token = self
                .file
                .plan
                .token(units, job, inode, self.file.began_at_ms);
            return Ok((0, token.ok_or(TokenError::Damaged("units"))?));
        };
        self.get_resume(resume)
    }

    /// A budget that is not known to hold does not.
    fn is_allowed(&self) -> Result<(), PurgeError> {
        let allowed = !self.job.request.budget.is_limited() || {
            let checked: Option<Checked> = self.find(names::CHECKED)?;
            checked.is_some_and(|checked| checked.allowed)
        };
        if allowed {
            return Ok(());
        }
        let plan = self.name.clone();
        Err(PurgeError::PlanUnchecked { plan })
    }
}
