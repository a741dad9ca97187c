//! "Did you mean": the known word nearest to the one that was written.

/// The word of `known` that `written` was most likely meant to be, when one is near enough.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Words longer than this are no misspelt key.
    const LONGEST: usize = 64;
    if written.len() > LONGEST {
        return None;
    }
    let plain = |word: &str| word.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
    let written = plain(written);
    let tolerance = (written.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|word| (distance(&written, &plain(word)), word))
        .filter(|&(distance, _)| distance <= tolerance)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, word)| word)
}

/// Edit distance in which exchanging two neighbouring characters is one step (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &left) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, &right) in b.iter().enumerate() {
            let mut best = (above[j] + usize::from(left != right)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && left == b[j - 1] && a[i - 1] == right {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("a", "", 1), ("listen", "lisen", 1), ("listen", "litsen", 1), ("abc", "xyz", 3)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn finds_the_nearest() {
        let known = ["listen", "limits", "timeouts"];
        assert_eq!(nearest("lisen", known), Some("listen"));
        assert_eq!(nearest("Time-Outs", known), Some("timeouts"));
        assert_eq!(nearest("cheese", known), None);
        assert_eq!(nearest(&"x".repeat(10_000), known), None);
    }
}
