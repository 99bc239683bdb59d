//! From a long sequence that shows a difference to a short one that shows the same (delta debugging: Zeller, Hildebrandt,
//! TSE 2002, without its complements: what stays fails).

use super::operation::Step;
use super::sequence::{Difference, Played, Sides};
use super::user::User;
use anyhow::Result;

/// A sequence that ends with the step that shows a difference.
pub(super) struct Failure {
    pub(super) steps: Vec<Step>,
    pub(super) played: Played,
    pub(super) signature: String,
}

pub(super) struct Shrinker<'a> {
    sides: &'a Sides,
    /// Names every play's directory anew.
    plays: usize,
    signature: String,
}

impl<'a> Shrinker<'a> {
    pub(super) fn new(sides: &'a Sides, steps: &[Step], difference: &Difference) -> Shrinker<'a> {
        Shrinker { sides, plays: 0, signature: difference.signature(steps) }
    }

    /// The shortest sequence that could be found. `None` if the difference does not come again, even with all the steps.
    pub(super) fn shrink(mut self, steps: &[Step], difference: &Difference) -> Result<Option<Failure>> {
        let Some(mut steps) = self.failing(steps[..=difference.index].to_vec())? else { return Ok(None) };
        loop {
            let before = steps.len();
            let mut piece = (steps.len() / 2).max(1);
            loop {
                steps = self.without_pieces(steps, piece)?;
                if piece == 1 {
                    break;
                }
                piece /= 2;
            }
            if steps.len() == before {
                break;
            }
        }
        let steps = self.with(steps, |step| step.user = User::Root)?;
        let steps = self.with(steps, |step| step.process = 0)?;
        let played = self.play(&steps)?;
        Ok(Some(Failure { steps, played, signature: self.signature }))
    }

    fn without_pieces(&mut self, mut steps: Vec<Step>, piece: usize) -> Result<Vec<Step>> {
        let mut end = steps.len();
        while end > 0 {
            let start = end.saturating_sub(piece);
            let rest = [&steps[..start], &steps[end.min(steps.len())..]].concat();
            if let Some(failing) = self.failing(rest)? {
                steps = failing;
            }
            end = start.min(steps.len());
        }
        Ok(steps)
    }

    /// Who makes a call, and in which process, is left open where it does not count.
    fn with(&mut self, mut steps: Vec<Step>, change: impl Fn(&mut Step)) -> Result<Vec<Step>> {
        for index in 0..steps.len() {
            let mut changed = steps.clone();
            change(&mut changed[index]);
            let is_new = (changed[index].user, changed[index].process) != (steps[index].user, steps[index].process);
            if is_new && let Some(failing) = self.failing(changed)? {
                steps = failing;
            }
            if index + 1 >= steps.len() {
                break;
            }
        }
        Ok(steps)
    }

    /// The steps up to the difference, if it is still the same one.
    fn failing(&mut self, mut steps: Vec<Step>) -> Result<Option<Vec<Step>>> {
        let Some(difference) = self.play(&steps)?.difference(&steps, self.sides.peer) else { return Ok(None) };
        let is_same = difference.signature(&steps) == self.signature;
        steps.truncate(difference.index + 1);
        Ok(is_same.then_some(steps))
    }

    fn play(&mut self, steps: &[Step]) -> Result<Played> {
        self.plays += 1;
        self.sides.play(&format!("shrink-{}", self.plays), steps)
    }
}
