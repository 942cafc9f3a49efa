//! Futures that borrow, carried out at once within one task.

use std::{future::poll_fn, pin::Pin, task::Poll};

/// One of them, and then what it came to.
enum Part<'a, T> {
    Open(Pin<Box<dyn Future<Output = T> + 'a>>),
    Done(T),
}

/// What each of them comes to, in their order. They are polled in that order too, every time: so a simulation of
/// them is the same every time.
pub(super) async fn together<'a, T, F>(futures: impl IntoIterator<Item = F>) -> Vec<T>
where
    F: Future<Output = T> + 'a,
{
    let mut parts: Vec<Part<'a, T>> = futures
        .into_iter()
        .map(|future| Part::Open(Box::pin(future)))
        .collect();
    poll_fn(|context| {
        let mut open = false;
        for part in &mut parts {
            let Part::Open(future) = part else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(done) => *part = Part::Done(done),
                Poll::Pending => open = true,
            }
        }
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let done = parts.into_iter().filter_map(|part| match part {
        Part::Done(done) => Some(done),
        Part::Open(_) => None,
    });
    done.collect()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use fusio_manifest::Clock;

    use super::*;
    use crate::simulate;

    #[test]
    fn all_happen_at_once_and_answer_in_their_order() {
        let (answers, passed) = simulate::run(async |clock| {
            let clock: Arc<dyn Clock> = Arc::new(clock);
            let waits = [30, 10, 20].map(|ms| {
                let clock = Arc::clone(&clock);
                async move {
                    clock.sleep(Duration::from_millis(ms)).await;
                    ms
                }
            });
            (together(waits).await, clock.now())
        })
        .unwrap();
        assert_eq!((answers, passed), (vec![30, 10, 20], Duration::from_millis(30)));
    }
}
