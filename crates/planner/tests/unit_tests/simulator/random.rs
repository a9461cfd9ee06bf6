//! Chance that can be had again: the same seed, the same numbers.

/// A source of numbers (the generator called `SplitMix64`).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of a range, its end excluded.
    pub(super) fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.number() % (range.end - range.start)
    }

    /// An index of a list of this length.
    pub(super) fn index(&mut self, length: usize) -> usize {
        self.within(0..length as u64) as usize
    }

    /// Whether something happens that happens so many times in a thousand.
    pub(super) fn permille(&mut self, times: u64) -> bool {
        self.within(0..1000) < times
    }

    /// Some of a list, in the order of the list.
    pub(super) fn some<T: Copy>(&mut self, of: &[T], number: usize) -> Vec<T> {
        let mut left: Vec<usize> = (0..of.len()).collect();
        while left.len() > number {
            let index = self.index(left.len());
            left.remove(index);
        }
        left.into_iter().map(|index| of[index]).collect()
    }

    /// The list in another order.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for index in (1..list.len()).rev() {
            let other = self.index(index + 1);
            list.swap(index, other);
        }
    }
}
