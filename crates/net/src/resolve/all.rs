use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Runs all the futures at the same time; their results come in their order.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Result<F::Output, Pin<Box<F>>>> =
        futures.into_iter().map(|future| Err(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut ready = true;
        for slot in &mut running {
            if let Err(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *slot = Ok(output),
                    Poll::Pending => ready = false,
                }
            }
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::all;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn all_run_at_the_same_time_and_keep_their_order() {
        let (give, take) = oneshot::channel();
        let mut give = Some(give);
        let mut take = Some(take);
        let futures = (0..2).map(|n| {
            let (give, take) = if n == 0 { (None, take.take()) } else { (give.take(), None) };
            async move {
                if let Some(take) = take {
                    take.await.unwrap(); // the first ends only after the second has run
                }
                if let Some(give) = give {
                    give.send(()).unwrap();
                }
                n
            }
        });
        assert_eq!(all(futures).await, [0, 1]);
    }
}
