//! Arrivals of a stretch of bursts, told apart by how many there were.

pub(super) struct Rounds {
    per_round: u64,
    pub(super) arrived: u64,
    /// The latest arrival of each round.
    pub(super) last: Vec<u64>,
}

impl Rounds {
    pub(super) fn of(per_round: u64) -> Self {
        Self { per_round, arrived: 0, last: Vec::new() }
    }

    pub(super) fn arrive(&mut self, latency: u64) {
        if self.arrived.is_multiple_of(self.per_round) {
            self.last.push(0);
        }
        self.arrived += 1;
        if let Some(last) = self.last.last_mut() {
            *last = latency.max(*last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_its_latest_arrival() {
        let mut rounds = Rounds::of(2);
        for latency in [3, 1, 2, 9, 5] {
            rounds.arrive(latency);
        }
        assert_eq!((rounds.last, rounds.arrived), (vec![3, 9, 5], 5));
    }
}
