use crate::exit::Failure;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::signal::unix::{SignalKind, signal};

static TIMES: AtomicU32 = AtomicU32::new(0);

/// From now on Ctrl-C and SIGTERM do not end the program but are counted. The third ends it: something hangs.
pub(crate) fn watch() -> Result<(), Failure> {
    let failed = |error| Failure::usage(format!("cannot wait for signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let mut signals = {
        let _inside = runtime.enter();
        [signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?]
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            let [interrupt, terminate] = &mut signals;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if TIMES.fetch_add(1, Ordering::Relaxed) >= 2 {
                    std::process::exit(1);
                }
            }
        });
    });
    Ok(())
}

/// How often somebody has wanted us to stop.
pub(crate) fn times() -> u32 {
    TIMES.load(Ordering::Relaxed)
}
