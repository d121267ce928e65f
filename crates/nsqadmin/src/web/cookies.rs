//! What browsers send back.

use nsq_app::http::HeaderMap;

/// The value of the first cookie with this name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all("cookie").iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let (_, text) = pairs.find(|(found, _)| found.trim() == name)?;
    Some(text.trim())
}
