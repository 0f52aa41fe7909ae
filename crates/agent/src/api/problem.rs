//! Errors as `application/problem+json` (RFC 9457). Each has a stable code for programs, and a
//! sentence for people that says what to do.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use kinfolk::{ClusterError, ForgetError, GossipError, RoundTripError, SelectError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of errors.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// An error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the status says the kind, and `code` the cause.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The HTTP status in words.
    pub(crate) title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub(crate) status: u16,
    /// What failed, why, and what to do.
    pub(crate) detail: String,
    /// The cause, for programs. It never changes its meaning.
    pub(crate) code: Code,
}

/// The cause of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    /// A part of the request has a wrong value or form.
    Invalid,
    /// The request has no token, or one that the agent does not know.
    Unauthenticated,
    /// The client's role does not suffice.
    Forbidden,
    /// The `Host` header names none of the agent's hosts.
    ForeignHost,
    /// A page of another site made the request.
    ForeignOrigin,
    /// There is nothing of this name or at this path.
    NotFound,
    /// The path does not have this method.
    MethodNotAllowed,
    /// The state of the cluster or of this member does not allow it.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// The body has another media type than the agent reads.
    UnsupportedMediaType,
    /// The agent did not finish in time.
    TimedOut,
    /// Too many clients read events.
    Busy,
    /// The agent is not ready, or stops.
    Unavailable,
    /// A part of the agent failed.
    Failed,
}

impl Code {
    const fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::ForeignHost | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TimedOut | Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Problem {
    /// A problem with this cause and text.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        let title = status.canonical_reason().unwrap_or_default().to_owned();
        Self { kind: "about:blank".to_owned(), title, status: status.as_u16(), detail: detail.into(), code }
    }

    /// A part of the request is wrong.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::Invalid, detail)
    }

    /// The problem of a request with this status that axum refused.
    pub(crate) fn of_rejection(status: StatusCode, detail: String) -> Self {
        let code = match status {
            status if status.is_server_error() => Code::Failed,
            _ => Code::Invalid,
        };
        Self::new(code, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match self.code {
            Code::Unauthenticated => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"kinfolk\""));
            }
            Code::TimedOut | Code::Busy | Code::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl From<ClusterError> for Problem {
    fn from(error: ClusterError) -> Self {
        let code = match &error {
            ClusterError::Tags(_)
            | ClusterError::Offer(_)
            | ClusterError::Name(_)
            | ClusterError::Identity(_) => Code::Invalid,
            ClusterError::Forget(why) => return Self::of_forget(why),
            ClusterError::RevocationsFull | ClusterError::Gossip(GossipError::Stopped) => Code::Unavailable,
            ClusterError::RevocationEnded { .. } | ClusterError::Gossip(GossipError::Command(_)) => {
                Code::Conflict
            }
            _ => Code::Failed,
        };
        Self::new(code, error.to_string())
    }
}

impl Problem {
    fn of_forget(why: &ForgetError) -> Self {
        let code = match why {
            ForgetError::Unknown { .. } => Code::NotFound,
            ForgetError::Busy { .. } => Code::Unavailable,
            _ => Code::Conflict,
        };
        Self::new(code, why.to_string())
    }
}

impl From<RoundTripError> for Problem {
    fn from(error: RoundTripError) -> Self {
        let code = match error {
            RoundTripError::Unknown { .. } => Code::NotFound,
            RoundTripError::Same { .. } => Code::Invalid,
            _ => Code::Conflict,
        };
        Self::new(code, error.to_string())
    }
}

impl From<SelectError> for Problem {
    fn from(error: SelectError) -> Self {
        let code = match error {
            SelectError::NotOffered { .. } => Code::NotFound,
            _ => Code::Conflict,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_has_its_media_type_and_status() {
        let response = Problem::new(Code::Unauthenticated, "give a token").into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
        assert!(response.headers().contains_key(WWW_AUTHENTICATE));
        let json = serde_json::to_value(Problem::invalid("x")).unwrap();
        let expected = serde_json::json!({
            "type": "about:blank", "title": "Bad Request", "status": 400, "detail": "x", "code": "invalid",
        });
        assert_eq!(json, expected);
    }
}
