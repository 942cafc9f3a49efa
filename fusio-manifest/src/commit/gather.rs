//! Gives the callers of a batch that has just been answered a few turns to come back with their next commits.
//!
//! Sending the next body at once makes two batches alternate, those who were answered and those who came
//! meanwhile, each waiting for the other's PUT: with two callers, batches of one, and no more commits than one of
//! them makes alone.

use tokio::sync::mpsc;

/// Turns in a row without a newcomer after which nobody is waited for any more. A turn takes microseconds: each
/// task that can run runs once.
const IDLE_TURNS: u32 = 8;

/// Takes from `receiver` until all who came while the last batch was on the wire, and as many as were `answered` by
/// it, are queued, or nobody has come for a while. `waiting` are queued already; `push` takes one in and tells
/// how many are queued.
///
/// A caller that commits alone is not waited for: it pays nothing.
pub(super) async fn gather<T>(
    answered: usize,
    waiting: usize,
    receiver: &mut mpsc::Receiver<T>,
    mut push: impl FnMut(T) -> usize,
) {
    let mut queued = waiting;
    while let Ok(request) = receiver.try_recv() {
        queued = push(request);
    }
    let expected = answered + queued;
    if expected < 2 {
        return;
    }
    let mut idle = 0;
    while queued < expected && idle < IDLE_TURNS {
        idle += 1;
        tokio::task::yield_now().await;
        while let Ok(request) = receiver.try_recv() {
            queued = push(request);
            idle = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are queued after `answered` were answered and `callers` came `turns` turns later; with them those
    /// who had come before.
    async fn gathered(answered: usize, before: usize, callers: usize, turns: usize) -> usize {
        let (sender, mut receiver) = mpsc::channel(1_000);
        for caller in 0..before {
            sender.send(caller).await.unwrap();
        }
        for caller in 0..callers {
            let sender = sender.clone();
            tokio::spawn(async move {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
                sender.send(caller).await.unwrap();
            });
        }
        let mut queued = 0;
        gather(answered, 0, &mut receiver, |_| {
            queued += 1;
            queued
        })
        .await;
        queued
    }

    #[tokio::test]
    async fn callers_that_come_back_soon_are_gathered() {
        assert_eq!(gathered(64, 0, 64, 3).await, 64);
    }

    #[tokio::test]
    async fn who_stays_away_is_not_waited_for() {
        assert_eq!(gathered(64, 0, 64, 1_000).await, 0);
    }

    #[tokio::test]
    async fn one_alone_is_not_waited_for() {
        assert_eq!(gathered(1, 0, 1, 3).await, 0);
    }

    #[tokio::test]
    async fn who_was_answered_joins_who_came_meanwhile() {
        assert_eq!(gathered(1, 1, 1, 3).await, 2);
    }
}
