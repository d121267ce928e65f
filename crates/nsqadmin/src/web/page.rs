//! A page in its three forms: whole, only its inside, and a stream of its inside whenever that
//! changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use maud::html;
use nsq_app::http::{
    Answer, Closed, Failure, HandlerResult, HeaderValue, Request, StatusCode, StreamSender,
};
use tokio::time::timeout;

use super::frame::{self, Content, Section};
use super::visit::Visit;
use crate::admin::Admin;
use crate::upstream::Warnings;

/// How often a page that is looked at is made anew.
const LIVE_PAUSE: Duration = Duration::from_secs(2);
/// A page that is much work is made more rarely: it rests so many times as long as it takes.
const REST_FACTOR: u32 = 10;
/// Nothing is silent for longer, so that it is noticed when somebody has gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How many pages wait for a reader who is slow: only the newest matters.
const PAGES_WAITING_MAX: usize = 1;
/// How many streams there are at once.
pub(crate) const STREAMS_MAX: usize = 256;

/// What a page shows is asked for each time anew.
pub(super) trait Page: Sized + Send + Sync + 'static {
    /// Whether it changes while it is looked at.
    const IS_LIVE: bool = true;

    /// What a request wants to see.
    ///
    /// # Errors
    ///
    /// When it makes no sense.
    fn of(request: &Request) -> Result<Self, Failure>;

    /// Asks, and shows what was answered.
    ///
    /// # Errors
    ///
    /// When there is nothing to show.
    fn content(
        &self,
        admin: &Admin,
        visit: &Visit,
    ) -> impl Future<Output = Result<Content, Failure>> + Send;
}

/// Answers a request for a page, in the form that it asks for.
pub(super) async fn show<P: Page>(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let visit = Visit::new(&admin, &request)?;
    let page = match P::of(&request) {
        Ok(page) => page,
        Err(failure) => return Ok(failed(&admin, &visit, &failure)),
    };
    if request.query()?.first("live").is_some() {
        return stream(admin, visit, page);
    }
    let content = match page.content(&admin, &visit).await {
        Ok(content) => content,
        Err(failure) => return Ok(failed(&admin, &visit, &failure)),
    };
    if request.headers().contains_key("hx-request") {
        let inside = frame::inner(&visit, &content);
        return Ok(frame::dressed(&visit, inside));
    }
    Ok(match P::IS_LIVE {
        true => frame::live_page(&admin, &visit, &content),
        false => frame::page(&admin, &visit, &content),
    })
}

/// A page that says what went wrong.
pub(super) fn failed(admin: &Admin, visit: &Visit, failure: &Failure) -> Answer {
    let content = failure_content(visit, failure);
    frame::page(admin, visit, &content).with_status(failure.status())
}

fn failure_content(visit: &Visit, failure: &Failure) -> Content {
    let t = visit.language;
    let title = t.failure(failure.message());
    let body = html! {
        h1 { (title) }
        div.notice.error role="alert" { pre { (failure.message()) } }
        p { a href=(visit.home()) { (t.back_to_topics()) } }
    };
    Content {
        title: title.to_owned(),
        section: Section::Topics,
        warnings: Warnings::default(),
        body,
    }
}

fn stream<P: Page>(admin: Arc<Admin>, visit: Visit, page: P) -> HandlerResult {
    let permit = Arc::clone(&admin.streams).try_acquire_owned();
    let busy = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_STREAMS");
    let permit = permit.map_err(|_| busy())?;
    let (answer, sender) = Answer::stream("text/event-stream", PAGES_WAITING_MAX);
    tokio::spawn(async move {
        let _one_of_few = permit;
        let mut teller = Teller { sender, told: String::new(), quiet: Duration::ZERO };
        let Err(Closed) = teller.tell_again_and_again(&admin, &visit, &page).await;
    });
    let answer = answer.with_header("cache-control", HeaderValue::from_static("no-store"));
    // nginx holds answers back otherwise.
    Ok(answer.with_header("x-accel-buffering", HeaderValue::from_static("no")))
}

/// Tells one browser what has changed.
struct Teller {
    sender: StreamSender,
    /// The last event.
    told: String,
    /// How long ago.
    quiet: Duration,
}

impl Teller {
    async fn tell_again_and_again<P: Page>(
        &mut self,
        admin: &Admin,
        visit: &Visit,
        page: &P,
    ) -> Result<Infallible, Closed> {
        loop {
            let began = Instant::now();
            let event = match page.content(admin, visit).await {
                Ok(content) => event("page", &frame::inner(visit, &content).into_string()),
                Err(failure) => event("failed", visit.language.failure(failure.message())),
            };
            let rest = LIVE_PAUSE.max(began.elapsed().saturating_mul(REST_FACTOR));
            self.tell(event).await?;
            // Whoever has gone needs no more pages.
            if timeout(rest, self.sender.closed()).await.is_ok() {
                return Err(Closed);
            }
            self.quiet += rest;
        }
    }

    async fn tell(&mut self, event: String) -> Result<(), Closed> {
        if event != self.told {
            self.sender.send(Bytes::from(event.clone())).await?;
            self.told = event;
        } else if self.quiet >= HEARTBEAT {
            self.sender.send(Bytes::from_static(b":\n\n")).await?;
        } else {
            return Ok(());
        }
        self.quiet = Duration::ZERO;
        Ok(())
    }
}

/// A server-sent event. Both ends of a line are told as ends of a line: else what a client named
/// itself could begin an event of its own.
fn event(name: &str, data: &str) -> String {
    let mut event = format!("event: {name}\n");
    for line in data.split(['\n', '\r']) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event
}

#[cfg(test)]
mod tests {
    use super::event;

    #[test]
    fn no_text_ends_its_event() {
        let expected = "event: page\ndata: a\ndata: b\ndata: \ndata: data: c\ndata: \n\n";
        assert_eq!(event("page", "a\nb\r\ndata: c\r"), expected);
    }
}
