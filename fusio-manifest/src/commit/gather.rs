//! Gives the callers of a batch that has just been answered a few turns to come back with their next commits.
//!
//! Sending the next body at once makes batches of one and of all the others alternate: the first caller that
//! comes back goes alone, and everybody else waits for it.

use tokio::sync::mpsc;

/// Turns in a row without a newcomer after which nobody is waited for any more. A turn takes microseconds: each
/// task that can run runs once.
const IDLE_TURNS: u32 = 8;

/// Takes from `receiver` until as many are queued as were `answered`, or nobody has come for a while. `push` takes
/// one in and tells how many are queued.
///
/// A caller that commits alone is not waited for: it pays nothing.
pub(super) async fn gather<T>(
    answered: usize,
    receiver: &mut mpsc::Receiver<T>,
    mut push: impl FnMut(T) -> usize,
) {
    if answered < 2 {
        return;
    }
    let mut queued = 0;
    let mut idle = 0;
    while queued < answered && idle < IDLE_TURNS {
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

    async fn gathered(answered: usize, callers: usize, turns: usize) -> usize {
        let (sender, mut receiver) = mpsc::channel(1_000);
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
        gather(answered, &mut receiver, |_| {
            queued += 1;
            queued
        })
        .await;
        queued
    }

    #[tokio::test]
    async fn callers_that_come_back_soon_are_gathered() {
        assert_eq!(gathered(64, 64, 3).await, 64);
    }

    #[tokio::test]
    async fn who_stays_away_is_not_waited_for() {
        assert_eq!(gathered(64, 64, 1_000).await, 0);
    }

    #[tokio::test]
    async fn one_alone_is_not_waited_for() {
        assert_eq!(gathered(1, 1, 3).await, 0);
    }
}
