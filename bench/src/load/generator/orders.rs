//! What a generator does for each order.

use std::ops::Range;

use anyhow::{Context as _, Result, bail};
use rustix::event::epoll::{self, EventData, EventFlags};

use super::{Generator, ORDER_MAX, Rounds, Slow, State, now, seconds_since};
use crate::load::work::Order;

impl Generator {
    pub(super) fn carry_out(&mut self, order: &Order) -> Result<()> {
        // What came since the last order is nobody's, unless it was expected.
        if !matches!(order, Order::Follow { .. }) {
            self.take_outcome();
        }
        self.began = now();
        self.progressed = self.began;
        let own = match *order {
            Order::Rate { seconds, .. }
            | Order::PostRate { seconds, .. }
            | Order::Churn { seconds, .. } => seconds,
            _ => 0.0,
        };
        self.deadline = self.began + ((ORDER_MAX.as_secs_f64() + own) * 1e9) as u64;
        match *order {
            Order::Prepare { .. } => {}
            Order::Connect { from, count, at_once, onto } => {
                let streams = (from..from + count).map(|number| onto.of(number));
                self.connect(streams, at_once, from)?;
            }
            Order::Rounds { rounds, burst, size } => self.rounds(rounds, burst, size)?,
            Order::Expect { burst } => {
                // All of these generators' connections read one stream.
                self.rounds = Some(Rounds::of((burst * self.connections.len()) as u64));
            }
            Order::Follow { rounds, burst } => self.follow(rounds, burst)?,
            Order::Rate { per_second, seconds, late_max, size } => {
                self.rate(per_second, seconds, late_max, size)?;
            }
            Order::Idle { seconds } => self.until_time(now() + (seconds * 1e9) as u64)?,
            Order::Cut => {
                self.cut = self.connections.drain(..).map(|one| one.stream).collect();
                self.live = 0;
            }
            Order::Fill { rounds, burst, size } => self.fill(rounds, burst, size)?,
            Order::Return { at_once, entries } => self.come_back(at_once, entries)?,
            Order::Slow { bytes_per_second } => self.slow_down(bytes_per_second)?,
            Order::Heal => self.heal()?,
            Order::Churn { per_second, seconds, at_once } => {
                self.churn(per_second, seconds, at_once)?;
            }
            Order::PostRate { connections, seconds, size } => {
                self.post_rate(connections, seconds, size)?;
            }
        }
        self.outcome.seconds = seconds_since(self.began);
        Ok(())
    }

    /// Opens a connection for each page, the `from`th being the first, and waits until all are live.
    fn connect(
        &mut self,
        streams: impl Iterator<Item = Range<usize>>,
        at_once: usize,
        from: usize,
    ) -> Result<()> {
        let numbered = streams.zip(from..);
        let pages: Vec<_> = numbered.map(|(of, number)| self.target.page(number, of)).collect();
        let mut pages = pages.into_iter();
        // When pages connect they have long been rendered.
        self.began = now();
        let live_before = self.live;
        loop {
            while self.connections.len() - self.live - self.lost() < at_once {
                let Some(page) = pages.next() else { break };
                let connection = self.open(self.connections.len(), page)?;
                self.connections.push(connection);
            }
            if self.live + self.lost() == self.connections.len() {
                break;
            }
            self.turn_or_give_up()?;
        }
        self.outcome.done = (self.live - live_before) as u64;
        if self.lost() > 0 {
            bail!("{} connections were refused: {:?}", self.lost(), self.outcome.error);
        }
        Ok(())
    }

    fn rounds(&mut self, rounds: usize, burst: usize, size: usize) -> Result<()> {
        let readers = self.readers();
        for round in 0..rounds {
            let stream = round % readers.len();
            let per_round = (burst * readers[stream]) as u64;
            self.rounds = Some(Rounds::of(per_round));
            self.publish(stream, burst, size)?;
            self.until(|generator| {
                generator.has_arrived(per_round) && generator.publishers[0].unanswered == 0
            })?;
            self.end_rounds();
        }
        Ok(())
    }

    /// How many read each stream, up to the last that anybody does without being slow: what is
    /// published goes round these.
    fn readers(&self) -> Vec<usize> {
        let mut readers = vec![0; self.target.streams];
        for connection in self.connections.iter().filter(|connection| connection.slow.is_none()) {
            readers[connection.stream] += 1;
        }
        let heard = self.target.heard.min(readers.len());
        readers.truncate(heard);
        readers
    }

    fn follow(&mut self, rounds: usize, burst: usize) -> Result<()> {
        let entries = (rounds * burst * self.connections.len()) as u64;
        self.until(|generator| generator.has_arrived(entries))?;
        self.published[0] += (rounds * burst) as u64;
        self.end_rounds();
        let all = self.connections.iter();
        self.outcome.refreshed_once = all.filter(|one| one.refreshes == 1).count() as u64;
        Ok(())
    }

    fn has_arrived(&self, entries: u64) -> bool {
        self.rounds.as_ref().is_none_or(|rounds| rounds.arrived >= entries)
    }

    fn end_rounds(&mut self) {
        self.outcome.last.extend(self.rounds.take().into_iter().flat_map(|rounds| rounds.last));
    }

    fn rate(&mut self, per_second: f64, seconds: f64, late_max: f64, size: usize) -> Result<()> {
        let readers = self.readers();
        let begin = now();
        let due = |number: u64| begin + (number as f64 / per_second * 1e9) as u64;
        let total = (per_second * seconds) as u64;
        let mut expected = 0;
        for number in 0..total {
            // Not asleep until then: who wakes it is the server.
            while now() < due(number) {
                self.turn_or_give_up()?;
            }
            let stream = usize::try_from(number)? % readers.len();
            expected += readers[stream] as u64;
            // The time it was due, not when the generator got round to it.
            self.publish_at(due(number), stream, 1, size)?;
        }
        let end = due(total) + (late_max * 1e9) as u64;
        while self.outcome.deliveries < expected && now() < end {
            self.turn_or_give_up()?;
        }
        self.outcome.lacking = expected.saturating_sub(self.outcome.deliveries);
        Ok(())
    }

    fn fill(&mut self, rounds: usize, burst: usize, size: usize) -> Result<()> {
        for _ in 0..rounds {
            for stream in 0..self.target.streams {
                self.publish(stream, burst, size)?;
                self.until(|generator| generator.publishers[0].unanswered == 0)?;
            }
        }
        Ok(())
    }

    fn come_back(&mut self, at_once: usize, entries: u64) -> Result<()> {
        let cut = std::mem::take(&mut self.cut);
        let expected = entries * cut.len() as u64;
        let published = self.published.clone();
        for stream in &mut self.published {
            *stream = stream.checked_sub(entries).context("so much was not published")?;
        }
        self.connect(cut.into_iter().map(|stream| stream..stream + 1), at_once, 0)?;
        self.published = published;
        self.until(|generator| generator.outcome.deliveries >= expected)
    }

    fn slow_down(&mut self, bytes_per_second: usize) -> Result<()> {
        for connection in &mut self.connections {
            connection.slow = Some(bytes_per_second);
            epoll::delete(&self.epoll, &connection.socket)?;
        }
        self.slow = Some(Slow::default());
        Ok(())
    }

    fn heal(&mut self) -> Result<()> {
        self.slow = None;
        for (index, connection) in self.connections.iter_mut().enumerate() {
            connection.slow = None;
            let token = EventData::new_u64(index as u64);
            epoll::add(&self.epoll, &connection.socket, token, EventFlags::IN)?;
        }
        self.until(|generator| generator.connections.iter().all(|one| one.refreshes > 0))?;
        Ok(())
    }

    fn churn(&mut self, per_second: f64, seconds: f64, at_once: usize) -> Result<()> {
        let count = self.connections.len();
        let begin = now();
        for number in 0..(per_second * seconds) as usize {
            let due = begin + (number as f64 / per_second * 1e9) as u64;
            while now() < due || count - self.live >= at_once {
                self.turn_or_give_up()?;
            }
            let index = number % count;
            let old = &self.connections[index];
            let streams = old.stream..old.stream + 1;
            self.live -= usize::from(old.state == State::Live);
            let page = self.target.page(index, streams);
            self.connections[index] = self.open(index, page)?;
            self.outcome.done += 1;
        }
        self.until(|generator| generator.live == count)
    }

    fn post_rate(&mut self, connections: usize, seconds: f64, size: usize) -> Result<()> {
        while self.publishers.len() < connections {
            self.add_publisher()?;
        }
        let end = now() + (seconds * 1e9) as u64;
        while now() < end {
            for index in 0..connections {
                if self.publishers[index].unanswered == 0 {
                    self.publish_over(index, now(), index % self.target.streams, 1, size)?;
                }
            }
            self.turn_or_give_up()?;
        }
        self.until(|generator| generator.publishers.iter().all(|one| one.unanswered == 0))
    }
}
