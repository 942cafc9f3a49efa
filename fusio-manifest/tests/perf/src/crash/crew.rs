//! Starts the processes, kills them, and puts another in the place of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{
    journal::{self, Event, Told},
    order::{Order, Role, VARIABLE},
    points::Point,
    process::last_words,
};
use crate::store_under_test::Address;

/// Points that a writer or a reader is told of: it dies at the first, and there are many processes. Those whose work
/// comes to a point once in seconds are told of all.
const POINTS_EACH: usize = 2;

/// Longer than the retention: some of the states that are held expire.
const HELD_MAX: Duration = Duration::from_millis(1_500);

/// So many processes may end by themselves before nothing more is started: each is a failure.
const ENDED_MAX: usize = 8;

/// What all processes of a run have in common.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The test that this program runs when it is such a process.
    pub(crate) test: String,
    pub(crate) address: Address,
    /// Of the manifest that they share.
    pub(crate) prefix: String,
    /// Below this each founder has a manifest of its own.
    pub(crate) founded: String,
    /// Where the journals go.
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    pub(crate) pool: u32,
    pub(crate) writers: u32,
    pub(crate) readers: u32,
    pub(crate) maintainers: u32,
    pub(crate) founders: u32,
    pub(crate) writer_pause: Duration,
    pub(crate) reader_pause: Duration,
    /// How the engine is broken, by name, if it is.
    pub(crate) mutant: Option<String>,
}

impl Plan {
    fn count(&self, role: Role) -> u32 {
        match role {
            Role::Writer => self.writers,
            Role::Reader => self.readers,
            Role::Maintainer => self.maintainers,
            Role::Founder => self.founders,
        }
    }

    /// The prefixes that founders work below.
    pub(crate) fn founded_prefixes(&self) -> impl Iterator<Item = String> {
        (0..self.founders).map(|slot| format!("{}{slot}/", self.founded))
    }
}

/// A process that runs.
#[derive(Debug)]
struct Living {
    child: Child,
    /// It stops when this is closed.
    input: Option<ChildStdin>,
    number: u32,
    /// SIGKILL was sent.
    killed: bool,
}

/// A place that always has a process.
#[derive(Debug)]
struct Post {
    role: Role,
    slot: u32,
    living: Option<Living>,
}

/// How many were killed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kills {
    pub(crate) at_random: u64,
    pub(crate) at_points: u64,
    /// Sent to one that was dying at a point just then: counted there.
    pub(crate) too_late: u64,
}

/// All processes of a run. Whoever drops it kills what is left of them.
#[derive(Debug)]
pub(crate) struct Crew {
    plan: Plan,
    posts: Vec<Post>,
    started: u32,
    rng: StdRng,
    kills: Kills,
    /// How often somebody died at each point.
    hits: BTreeMap<Point, u64>,
    /// Processes that ended by themselves.
    failures: Vec<String>,
}

impl Drop for Crew {
    fn drop(&mut self) {
        for living in self.posts.iter_mut().filter_map(|post| post.living.as_mut()) {
            // It may have ended already.
            let _ = living.child.kill();
            let _ = living.child.wait();
        }
    }
}

impl Crew {
    /// Starts all of them. An error is one line.
    pub(crate) fn start(plan: Plan) -> Result<Self, String> {
        fs::create_dir_all(&plan.folder).map_err(|error| format!("{}: {error}", plan.folder.display()))?;
        let posts = Role::ALL.into_iter().flat_map(|role| {
            (0..plan.count(role)).map(move |slot| Post {
                role,
                slot,
                living: None,
            })
        });
        let mut crew = Self {
            posts: posts.collect(),
            started: 0,
            rng: StdRng::seed_from_u64(plan.seed),
            kills: Kills::default(),
            hits: Point::all().map(|(point, _)| (point, 0)).collect(),
            failures: Vec::new(),
            plan,
        };
        crew.fill()?;
        Ok(crew)
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn kills(&self) -> Kills {
        self.kills
    }

    /// Every point, and how often somebody died there.
    pub(crate) fn hits(&self) -> &BTreeMap<Point, u64> {
        &self.hits
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    pub(crate) fn all_points_hit(&self) -> bool {
        self.hits.values().all(|hits| *hits > 0)
    }

    /// True once too many have ended by themselves.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.failures.len() > ENDED_MAX
    }

    /// Buries the dead, and puts others in their places. An error is one line.
    pub(crate) fn tend(&mut self) -> Result<(), String> {
        for place in 0..self.posts.len() {
            self.bury(place)?;
        }
        self.fill()
    }

    /// A draw between 0 and 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.rng.random()
    }

    /// Kills one that is drawn. False if that one has just died by itself. An error is one line.
    pub(crate) fn kill_one(&mut self) -> Result<bool, String> {
        let place = self.rng.random_range(0..self.posts.len().max(1));
        self.bury(place)?;
        let living = self.posts.get_mut(place).and_then(|post| post.living.as_mut());
        Ok(living.is_some_and(|living| {
            // Of one that is being killed already nothing more is to be counted.
            let counts = !living.killed;
            living.killed |= living.child.kill().is_ok();
            counts && living.killed
        }))
    }

    /// Tells all to stop.
    pub(crate) fn stop(&mut self) {
        for living in self.posts.iter_mut().filter_map(|post| post.living.as_mut()) {
            living.input = None;
        }
    }

    /// True once all have ended that were told to stop. An error is one line.
    pub(crate) fn has_stopped(&mut self) -> Result<bool, String> {
        for place in 0..self.posts.len() {
            self.bury(place)?;
        }
        Ok(self.posts.iter().all(|post| post.living.is_none()))
    }

    /// Kills those that did not stop: each is a failure.
    pub(crate) fn end(&mut self) {
        for post in &mut self.posts {
            if let Some(mut living) = post.living.take() {
                let (role, number) = (post.role.as_str(), living.number);
                self.failures.push(format!("{role} {number} did not stop"));
                let _ = living.child.kill();
                let _ = living.child.wait();
            }
        }
    }

    /// What all that ever ran have put down. An error is one line.
    pub(crate) fn told(&self) -> Result<Told, String> {
        let mut told = Told::default();
        for number in 0..self.started {
            told.add(journal::read(&self.journal(number))?);
        }
        Ok(told)
    }

    fn journal(&self, number: u32) -> PathBuf {
        self.plan.folder.join(format!("{number}.jsonl"))
    }

    fn errors(&self, number: u32) -> PathBuf {
        self.plan.folder.join(format!("{number}.err"))
    }

    fn fill(&mut self) -> Result<(), String> {
        for place in 0..self.posts.len() {
            if !self.is_hopeless() && self.posts.get(place).is_some_and(|post| post.living.is_none()) {
                let living = self
                    .begin(place)
                    .map_err(|error| format!("a process cannot be started: {error}"))?;
                if let Some(post) = self.posts.get_mut(place) {
                    post.living = living;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, place: usize) -> io::Result<Option<Living>> {
        let Some(post) = self.posts.get(place) else {
            return Ok(None);
        };
        let (role, slot, number) = (post.role, post.slot, self.started);
        let order = Order {
            role,
            slot,
            number,
            address: self.plan.address.clone(),
            prefix: match role {
                Role::Founder => format!("{}{slot}/", self.plan.founded),
                _ => self.plan.prefix.clone(),
            },
            journal: self.journal(number),
            seed: self.rng.random(),
            pause: match role {
                Role::Writer => self.plan.writer_pause * 2,
                _ => self.plan.reader_pause,
            },
            pool: self.plan.pool,
            points: self.points_for(role, slot).iter().map(Point::to_string).collect(),
            held_max: HELD_MAX,
            mutant: self.plan.mutant.clone(),
        };
        let mut child = command(
            &self.plan.test,
            (VARIABLE, &serde_json::to_string(&order)?),
            &self.errors(number),
        )?
        .spawn()?;
        self.started += 1;
        Ok(Some(Living {
            input: child.stdin.take(),
            child,
            number,
            killed: false,
        }))
    }

    /// Where the next process of this role dies: at points at which nobody has died yet.
    fn points_for(&mut self, role: Role, slot: u32) -> BTreeSet<Point> {
        let of_role = Point::all().filter(|(_, of)| *of == role).map(|(point, _)| point);
        let open = (0u32..)
            .zip(of_role)
            .filter(|(_, point)| self.hits.get(point) == Some(&0));
        let mut open: Vec<(u32, Point)> = open.collect();
        if role == Role::Founder {
            share_out(&mut open, slot, self.plan.count(role));
        }
        let many = match role {
            Role::Writer | Role::Reader => POINTS_EACH,
            Role::Maintainer | Role::Founder => open.len(),
        };
        while open.len() > many {
            open.swap_remove(self.rng.random_range(0..open.len()));
        }
        open.into_iter().map(|(_, point)| point).collect()
    }

    fn bury(&mut self, place: usize) -> Result<(), String> {
        let Some(post) = self.posts.get_mut(place) else {
            return Ok(());
        };
        let Some(living) = &mut post.living else {
            return Ok(());
        };
        let status = living.child.try_wait();
        let Some(status) = status.map_err(|error| format!("a process cannot be waited for: {error}"))? else {
            return Ok(());
        };
        let (role, number, killed, stopped) =
            (post.role, living.number, living.killed, living.input.is_none());
        post.living = None;
        let last = journal::last(&self.journal(number))?;
        match last {
            Some(Event::Dies { point }) if was_killed(status) => {
                self.kills.at_points += 1;
                self.kills.too_late += u64::from(killed);
                if let Some(point) = Point::named(&point) {
                    *self.hits.entry(point).or_default() += 1;
                }
            }
            _ if killed && was_killed(status) => self.kills.at_random += 1,
            _ if stopped && status.success() => {}
            _ => {
                let (role, why) = (role.as_str(), last_words(status, &self.errors(number)));
                self.failures.push(format!("{role} {number} {why}"));
            }
        }
        Ok(())
    }
}

/// Leaves of these numbered points those of one founder, if there are any. Founders pass them in their order, those behind
/// the probe only after as long as a probe takes: if each had all of them, all would die at the same one.
fn share_out(open: &mut Vec<(u32, Point)>, slot: u32, founders: u32) {
    let is_own = |number: u32| number % founders.max(1) == slot;
    if open.iter().any(|(number, _)| is_own(*number)) {
        open.retain(|(number, _)| is_own(*number));
    }
}

/// This program once more, as a process that runs this test with its order in this variable.
pub(crate) fn command(test: &str, (variable, order): (&str, &str), errors: &Path) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([
            test,
            "--exact",
            "--include-ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(variable, order)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(File::create(errors)?);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        // Ctrl-C is for the parent, which stops them.
        command.process_group(0);
    }
    Ok(command)
}

#[cfg(unix)]
fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(rustix::process::Signal::KILL.as_raw())
}

#[cfg(not(unix))]
fn was_killed(status: ExitStatus) -> bool {
    !status.success()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn founders_share_out_points_and_help_with_what_is_left() {
        let all: Vec<(u32, Point)> = (0u32..)
            .zip(Point::all().map(|(point, _)| point))
            .take(7)
            .collect();
        let of = |slot: u32, open: &[(u32, Point)]| {
            let mut open = open.to_vec();
            share_out(&mut open, slot, 3);
            open.iter().map(|(number, _)| *number).collect::<Vec<_>>()
        };
        assert_eq!(of(0, &all), [0, 3, 6]);
        assert_eq!(of(1, &all), [1, 4]);
        assert_eq!(of(2, &all), [2, 5]);
        assert_eq!(of(0, &all[4..6]), [4, 5]);
    }
}
