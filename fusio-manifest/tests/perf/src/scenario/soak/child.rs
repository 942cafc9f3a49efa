//! The process, as its parent has it.

use std::{
    fs,
    path::PathBuf,
    process::{self, ChildStdin},
};

use crate::{
    crash::{
        crew::command,
        journal::{self, Told},
        process::last_words,
    },
    soak::{JOURNAL, Order, ROWS, Row, VARIABLE, read_rows},
};

/// The process that works. Whoever drops it kills it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) order: Order,
    process: process::Child,
    /// It stops when this is closed.
    input: Option<ChildStdin>,
    ended: bool,
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.ended {
            // It may have ended already.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

impl Child {
    /// Starts it. An error is one line.
    pub(super) fn start(test: &str, order: Order) -> Result<Self, String> {
        let failed = |error: &dyn ToString| format!("the process cannot be started: {}", error.to_string());
        fs::create_dir_all(&order.folder).map_err(|error| failed(&error))?;
        let text = serde_json::to_string(&order).map_err(|error| failed(&error))?;
        let mut process = command(test, (VARIABLE, &text), &errors(&order))
            .and_then(|mut command| command.spawn())
            .map_err(|error| failed(&error))?;
        Ok(Self {
            input: process.stdin.take(),
            order,
            process,
            ended: false,
        })
    }

    /// Tells it to stop.
    pub(super) fn stop(&mut self) {
        self.input = None;
    }

    /// True once it has ended. An error is how, if not as it should.
    pub(super) fn has_ended(&mut self) -> Result<bool, String> {
        let status = self.process.try_wait();
        let Some(status) = status.map_err(|error| format!("the process cannot be waited for: {error}"))?
        else {
            return Ok(false);
        };
        self.ended = true;
        if status.success() {
            return Ok(true);
        }
        Err(format!(
            "the process {}",
            last_words(status, &errors(&self.order))
        ))
    }

    pub(super) fn rows(&self) -> Result<Vec<Row>, String> {
        read_rows(&self.order.folder.join(ROWS))
    }

    /// What it has put down. An error is one line.
    pub(super) fn told(&self) -> Result<Told, String> {
        let mut told = Told::default();
        told.add(journal::read(&self.order.folder.join(JOURNAL))?);
        Ok(told)
    }
}

fn errors(order: &Order) -> PathBuf {
    order.folder.join("stderr")
}
