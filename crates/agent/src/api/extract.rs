//! Reads the parts of a request. What axum's own extractors refuse becomes a [`Problem`].

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use kinfolk::NodeId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A JSON body, as a request or a response.
#[derive(Debug, Clone)]
pub(super) struct ApiJson<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(of_json(&rejection)),
        }
    }
}

fn of_json(rejection: &JsonRejection) -> Problem {
    let detail = match rejection {
        JsonRejection::MissingJsonContentType(_) => {
            "the body is not marked as JSON; send it with the header `content-type: application/json`"
                .to_owned()
        }
        _ => format!("{}; see the form of the body in /v1/openapi.json", rejection.body_text()),
    };
    Problem::of_rejection(rejection.status(), detail)
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
            Err(rejection) => Err(Problem::of_rejection(rejection.status(), rejection.body_text())),
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
