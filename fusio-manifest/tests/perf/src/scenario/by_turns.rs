//! One operation after the other, the engine's and a bare one by turns, so that both meet the same weather.

use std::{sync::Arc, time::Duration};

use fusio_manifest::Clock;

use super::Context;
use crate::{
    client::{Arrival, Client},
    run::FirstWriter,
};

/// A commit and its bare PUT on S3 Standard, about.
const PAIR: Duration = Duration::from_millis(130);

/// Response times of commits, in their order.
#[derive(Debug, Default)]
pub(super) struct Commits {
    pub(super) times: Vec<Duration>,
    /// The largest HEAD among those that they made.
    pub(super) head_bytes_max: usize,
}

impl Commits {
    /// Commits a second of one who does nothing else; none without samples.
    pub(super) fn per_second(&self) -> Option<f64> {
        let seconds: f64 = self.times.iter().map(Duration::as_secs_f64).sum();
        (seconds > 0.0).then(|| self.times.len() as f64 / seconds)
    }
}

/// How long so many commits beside as many bare PUTs take, about.
pub(super) fn expected_time(commits: u64) -> Duration {
    PAIR.saturating_mul(u32::try_from(commits).unwrap_or(u32::MAX))
}

/// An operation that is wanted at once.
pub(super) fn now(clock: &dyn Clock) -> Arrival {
    let now = clock.now();
    Arrival {
        due: now,
        issued: now,
    }
}

/// So many commits and as many bare PUTs; which of the two comes first changes each time.
pub(super) async fn commit_in_turn(
    context: &Context,
    commits: u64,
    writer: &FirstWriter,
    floor: &Arc<dyn Client>,
) -> Commits {
    let progress = context.progress.cell("commits", expected_time(commits));
    let began = context.clock.now();
    let mut done = Commits::default();
    for number in 0..commits {
        if context.should_stop() {
            break;
        }
        let pair = if number % 2 == 0 {
            [floor, &writer.client]
        } else {
            [&writer.client, floor]
        };
        for client in pair {
            let arrival = now(&*context.clock);
            client.operate(arrival).await;
            if Arc::ptr_eq(client, &writer.client) {
                done.times.push(context.clock.now().saturating_sub(arrival.due));
                done.head_bytes_max = done.head_bytes_max.max(writer.handle.head_bytes());
            }
        }
        progress.update(context.clock.now().saturating_sub(began), number + 1);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_one_alone_counts_only_the_time_of_its_commits() {
        let times = vec![Duration::from_millis(50), Duration::from_millis(150)];
        let commits = Commits {
            times,
            ..Commits::default()
        };
        assert_eq!(commits.per_second(), Some(10.0));
        assert_eq!(Commits::default().per_second(), None);
    }
}
