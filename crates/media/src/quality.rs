//! How a call sounded, as a number: the E-model (ITU-T G.107), simplified.
//!
//! R = 93.2 - Id - Ie,eff with all of the model's parameters that we cannot measure at their default values.
//! Id is the common straight-line fit of G.107's delay curve; Ie,eff is G.107's formula with Ie = 0 for G.711 and the
//! packet-loss robustness of G.113 appendix I: 25.1 for G.711 whose gaps are concealed as ours are (it would be 4.3 for gaps
//! left silent). A call without loss rates about 4.4, the highest a telephone call can.

const R_BEST: f64 = 93.2;
/// G.711 with concealment.
const LOSS_ROBUSTNESS: f64 = 25.1;

/// The rating R, 0 to 93.2, of a G.711 call.
///
/// `loss_percent` counts packets that came too late to be played as lost. `burst_ratio` is G.107's: the mean length of the
/// bursts of loss over what it would be if each packet were lost by chance; 1 for such loss, more for loss in bursts.
pub fn r_factor(loss_percent: f64, burst_ratio: f64, one_way_delay_ms: f64) -> f64 {
    let loss = loss_percent.clamp(0.0, 100.0);
    let delay = one_way_delay_ms.max(0.0);
    let delay_impairment = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let loss_impairment = 95.0 * loss / (loss / burst_ratio.max(1.0) + LOSS_ROBUSTNESS);
    (R_BEST - delay_impairment - loss_impairment).max(0.0)
}

/// The mean opinion score, 1 to 4.5, that listeners would give a call of this rating (G.107 annex B).
pub fn mos(r: f64) -> f64 {
    match r {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_typical_calls() {
        for (loss, burst, delay, expected) in [
            (0.0, 1.0, 0.0, 4.41),
            (0.0, 1.0, 60.0, 4.38),
            (1.0, 1.0, 60.0, 4.28),
            (5.0, 1.0, 60.0, 3.88),
            (5.0, 4.0, 60.0, 3.77),
            (20.0, 1.0, 60.0, 2.57),
            (0.0, 1.0, 400.0, 3.05),
            (100.0, 1.0, 60.0, 1.14),
        ] {
            let score = mos(r_factor(loss, burst, delay));
            assert!((score - expected).abs() < 0.02, "loss {loss} burst {burst} delay {delay}: {score}");
        }
    }
}
