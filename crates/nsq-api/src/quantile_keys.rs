//! What quantiles are called in keys of statsd and graphite.

/// What stands for each quantile in a key: percent, rounded as in Go NSQ. Quantiles that would
/// share a key this way, like 0.999 and 1, get their decimals, which Go NSQ does not have: `99_9`,
/// `100`.
#[must_use]
pub fn quantile_keys(quantiles: &[f64]) -> Vec<String> {
    let rounded = |quantile: f64| format!("{}", (quantile * 100.0).round_ties_even());
    let key = |&quantile: &f64| {
        let mut others = quantiles.iter().filter(|&&other| other != quantile);
        let is_shared = others.any(|&other| rounded(other) == rounded(quantile));
        if is_shared { exact_percent(quantile) } else { rounded(quantile) }
    };
    quantiles.iter().map(key).collect()
}

/// `99_9` for 0.999: the digits of the number itself, because 0.999 × 100 is 99.9 only about.
fn exact_percent(quantile: f64) -> String {
    let text = quantile.to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let padded = format!("{decimals:0<2}");
    // Digits, at least two of them.
    let (percent, rest) = padded.split_at_checked(2).unwrap_or((&padded, ""));
    let percent = format!("{whole}{percent}");
    let percent = match percent.trim_start_matches('0') {
        "" => "0",
        percent => percent,
    };
    if rest.is_empty() { percent.to_owned() } else { format!("{percent}_{rest}") }
}

#[cfg(test)]
mod tests {
    use super::quantile_keys;

    #[test]
    fn keys_of_quantiles() {
        for (quantiles, expected) in [
            (&[0.99, 0.95, 1.0][..], &["99", "95", "100"][..]),
            (&[0.57, 0.999, 0.985], &["57", "100", "98"]),
            (&[1.0, 0.999, 0.99], &["100", "99_9", "99"]),
            (&[0.9999, 0.999], &["99_99", "99_9"]),
            (&[0.004, 0.001, 0.05], &["0_4", "0_1", "5"]),
            (&[], &[]),
        ] {
            assert_eq!(quantile_keys(quantiles), expected, "{quantiles:?}");
        }
    }
}
