//! From values to places, and where ticks go.

/// A way from values to pixels, linear or by the logarithm.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    logarithmic: bool,
    /// Values at both ends, as logarithms if it is logarithmic.
    ends: [f64; 2],
    pixels: [f64; 2],
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    /// Linear from 0, or logarithmic if some of the values would be flat on the ground otherwise.
    pub(super) fn of_values(values: &[f64], pixels: [f64; 2]) -> Self {
        let positive = || values.iter().copied().filter(|value| *value > 0.0 && value.is_finite());
        let most = positive().fold(0.0, f64::max);
        let least = positive().fold(most, f64::min);
        if most <= 0.0 {
            return Self { logarithmic: false, ends: [0.0, 1.0], pixels, ticks: vec![0.0, 1.0] };
        }
        if most / least < 12.0 {
            let step = round_up(most / 5.0);
            let steps = (most / step).ceil();
            let ticks = (0..=steps as u32).map(|tick| f64::from(tick) * step).collect();
            return Self { logarithmic: false, ends: [0.0, steps * step], pixels, ticks };
        }
        let (least, most) = (round_down(least), round_up(most));
        let mut ticks = vec![least];
        while let Some(last) = ticks.last().copied().filter(|last| *last < most * 0.99) {
            ticks.push(round_up(last * 1.5));
        }
        if ticks.len() > 7 {
            ticks.retain(|tick| (tick.log10() - tick.log10().round()).abs() < 1e-6);
        }
        Self { logarithmic: true, ends: [least.log10(), most.log10()], pixels, ticks }
    }

    /// Logarithmic, with ticks at the values themselves. Where zero is one of them, it stands left of
    /// the others.
    pub(super) fn of_steps(steps: &[f64], pixels: [f64; 2]) -> Self {
        let mut ticks = steps.to_vec();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        let positive = || ticks.iter().copied().filter(|step| *step > 0.0);
        let mut least = positive().fold(f64::INFINITY, f64::min);
        let most = positive().fold(0.0, f64::max);
        if ticks.iter().any(|step| *step <= 0.0) {
            least /= 4.0;
        }
        let ends = if most > 0.0 && least < most {
            [least.log10(), most.log10()]
        } else if most > 0.0 {
            // One step is in the middle.
            [most.log10() - 0.5, most.log10() + 0.5]
        } else {
            [0.0, 1.0]
        };
        Self { logarithmic: true, ends, pixels, ticks }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.log10() } else { value };
        let [low, high] = self.ends;
        // What has no logarithm is at the low end, and so is what is not a number.
        let share = (value - low) / (high - low);
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        self.pixels[0] + share * (self.pixels[1] - self.pixels[0])
    }
}

/// 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let step = steps.into_iter().find(|step| step * power >= value * 0.999_999);
    step.unwrap_or(10.0) * power
}

fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [5.0, 2.0, 1.0];
    let step = steps.into_iter().find(|step| step * power <= value * 1.000_001);
    step.unwrap_or(1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(scale: &Scale, values: &[f64]) -> Vec<i64> {
        values.iter().map(|value| scale.at(*value).round() as i64).collect()
    }

    #[test]
    fn close_values_are_linear_from_zero() {
        let scale = Scale::of_values(&[900.0, 2_400.0], [100.0, 0.0]);
        assert_eq!(scale.ticks, [0.0, 500.0, 1_000.0, 1_500.0, 2_000.0, 2_500.0]);
        assert_eq!(rounded(&scale, &[0.0, 1_250.0, 2_500.0]), [100, 50, 0]);
    }

    #[test]
    fn values_far_apart_are_logarithmic() {
        let scale = Scale::of_values(&[30.0, 900.0], [0.0, 100.0]);
        assert_eq!(rounded(&scale, &scale.ticks), [0, 23, 41, 59, 82, 100]);
        assert_eq!(rounded(&scale, &[20.0, 1_000.0]), [0, 100]);
        let scale = Scale::of_values(&[1.0, 1e6], [0.0, 60.0]);
        assert_eq!(rounded(&scale, &scale.ticks), [0, 10, 20, 30, 40, 50, 60]);
    }

    #[test]
    fn steps_are_their_own_ticks() {
        let scale = Scale::of_steps(&[10_000.0, 100.0, 1_000.0, 100.0], [0.0, 100.0]);
        assert_eq!(scale.ticks, [100.0, 1_000.0, 10_000.0]);
        assert_eq!(rounded(&scale, &scale.ticks), [0, 50, 100]);
        let scale = Scale::of_steps(&[0.0, 4.0, 16.0], [0.0, 100.0]);
        assert_eq!(rounded(&scale, &scale.ticks), [0, 50, 100]);
        assert_eq!(rounded(&Scale::of_steps(&[7.0], [0.0, 100.0]), &[7.0]), [50]);
    }

    #[test]
    fn whatever_is_measured_has_a_place() {
        for values in [&[][..], &[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY, 1.0]] {
            for scale in [Scale::of_values(values, [0.0, 9.0]), Scale::of_steps(values, [0.0, 9.0])]
            {
                for value in [-1.0, 0.0, 1.0, f64::NAN, f64::INFINITY] {
                    let place = scale.at(value);
                    assert!((0.0..=9.0).contains(&place), "{value} of {values:?} is at {place}");
                }
            }
        }
    }
}
