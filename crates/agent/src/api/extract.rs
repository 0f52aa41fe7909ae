//! Reads the parts of a request. What axum's own extractors refuse becomes a [`Problem`].

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use kinfolk::NodeId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};

/// The longest body in bytes. The longest useful one has all tags that a member may have (16 KiB),
/// and JSON may write a byte as six.
const BODY_BYTES_MAX: usize = 128 * 1024;
/// How many bytes of a longer body are read and dropped. A connection that is closed with unread
/// bytes is reset, and the client would not see why.
const DROPPED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A JSON body, as a request or a response.
#[derive(Debug, Clone)]
pub(super) struct ApiJson<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let body = read(request.into_body()).await?;
        if !is_json {
            let detail =
                "the body is not marked as JSON; send it with the header `content-type: application/json`";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        Json::from_bytes(&body).map(|Json(body)| Self(body)).map_err(|rejection| {
            let why = rejection.body_text();
            Problem::invalid(format!("{why}; see the form of the body in /v1/openapi.json"))
        })
    }
}

/// Whether the body is `application/json`, or another type whose name ends in `+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.strip_prefix("application/").is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

async fn read(mut body: Body) -> Result<Vec<u8>, Problem> {
    let (mut kept, mut len) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| Problem::invalid(format!("the body is not whole: {error}; send it again")))?;
        let Ok(bytes) = frame.into_data() else { continue };
        len = len.saturating_add(bytes.len());
        if len <= BODY_BYTES_MAX {
            kept.extend_from_slice(&bytes);
        } else if len > DROPPED_BYTES_MAX {
            break;
        }
    }
    if len > BODY_BYTES_MAX {
        let detail =
            format!("the body is longer than {BODY_BYTES_MAX} bytes; send less, or in several requests");
        return Err(Problem::new(Code::TooLarge, detail));
    }
    Ok(kept)
}

impl<T: Serialize> IntoResponse for ApiJson<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// The query of a request. A key may be repeated.
#[derive(Debug, Clone)]
pub(super) struct ApiQuery<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        serde_html_form::from_str(query).map(Self).map_err(|error| {
            Problem::invalid(format!("the query is wrong: {error}; see its form in /v1/openapi.json"))
        })
    }
}

/// One text in the path.
#[derive(Debug, Clone)]
pub(super) struct PathText(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(rejection) => {
                let why = format!("{}; give the name in UTF-8, percent-encoded", rejection.body_text());
                Err(Problem::of_rejection(rejection.status(), why))
            }
        }
    }
}

/// The name of a node in the path.
#[derive(Debug, Clone)]
pub(super) struct PathNode(pub(super) NodeId);

impl<S: Send + Sync> FromRequestParts<S> for PathNode {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let PathText(text) = PathText::from_request_parts(parts, state).await?;
        text.parse().map(Self).map_err(|error: kinfolk::NameError| Problem::invalid(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_media_type() {
        let is =
            |value: &'static str| is_json(&[(CONTENT_TYPE, value.parse().unwrap())].into_iter().collect());
        assert!(
            is("application/json")
                && is("Application/JSON; charset=utf-8")
                && is("application/merge-patch+json")
        );
        assert!(!is("text/json") && !is("application/jsonp") && !is("") && !is_json(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn body_is_bounded() {
        let read = |len: usize| read(Body::from(vec![b' '; len]));
        assert_eq!(read(BODY_BYTES_MAX).await.map(|body| body.len()), Ok(BODY_BYTES_MAX));
        assert_eq!(read(BODY_BYTES_MAX + 1).await.unwrap_err().code, Code::TooLarge);
    }
}
