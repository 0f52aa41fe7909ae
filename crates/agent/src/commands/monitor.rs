//! `kinfolk monitor`: prints the events of the group as they come.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::print;
use crate::cli::{MonitorArgs, Output};
use crate::client::{Client, SseEvent, block_on};
use crate::exit::{Failure, Status};
use crate::render::{Paint, Tone, printable};

/// How long it waits before it connects again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &MonitorArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    block_on(follow(&client, args))
}

/// Follows the events until the program is stopped, or its output is closed.
async fn follow(client: &Client, args: &MonitorArgs) -> Result<(), Failure> {
    let paint = Paint::of_stdout();
    let mut last = None;
    let mut events = client.events(None).await?;
    loop {
        while let Some(event) = events.next().await {
            last.clone_from(&event.id);
            if args.kind.is_empty() || args.kind.contains(&event.name) || event.name == "lost" {
                print(&as_line(paint, args.output, &event)?)?;
            }
        }
        // The agent stops, or starts again.
        loop {
            sleep(AGAIN_AFTER).await;
            match client.events(last.as_deref()).await {
                Ok(again) => break events = again,
                Err(failure) if failure.status() == Status::Socket => {}
                Err(failure) => return Err(failure),
            }
        }
    }
}

fn as_line(paint: Paint, output: Output, event: &SseEvent) -> Result<String, Failure> {
    // The agent sent something else than JSON, so it is of another version. What to do: use the
    // program of the agent's version.
    let mut data: Value = serde_json::from_str(&event.data).map_err(|error| {
        let advice = "use the kinfolk program of the agent's version";
        Failure::new(Status::Socket, format_args!("cannot read the event {}: {error}; {advice}", event.name))
    })?;
    if matches!(output, Output::Json | Output::Jsonl) {
        if let Some(fields) = data.as_object_mut() {
            fields.insert("event".to_owned(), event.name.clone().into());
            fields.insert("id".to_owned(), event.id.clone().into());
        }
        return super::json(&data);
    }
    let tone = match event.name.as_str() {
        "node_failed" | "partition_detected" | "member_distrusted" | "name_conflict" => Tone::Bad,
        "node_suspected" | "health_check_failed" | "node_flapping" | "lost" | "events_dropped" => {
            Tone::Warning
        }
        "node_joined" | "node_recovered" | "node_settled" | "partition_healed" => Tone::Good,
        "node_left" | "node_reaped" => Tone::Left,
        _ => Tone::Plain,
    };
    let kind = paint.tone(tone, &format!("{:<21}", event.name));
    Ok(format!("{kind}  {}\n", printable(&details(&event.name, &data, output == Output::Wide))))
}

/// What an event says, in one line.
fn details(name: &str, data: &Value, wide: bool) -> String {
    match name {
        "snapshot" => {
            let members = data["members"].as_array().map(Vec::as_slice).unwrap_or_default();
            let alive = members.iter().filter(|member| member["state"] == "alive").count();
            format!("{alive} of {} known nodes are alive, as {} sees it", members.len(), text(&data["node"]))
        }
        "lost" => match data["count"].as_u64() {
            Some(count) => format!("{count} events were missed; the next line has the present state"),
            None => "the agent started again; the next line has the present state".to_owned(),
        },
        _ => {
            let member = &data["member"];
            let mut words = Vec::new();
            if !member.is_null() {
                words.push(format!("{} at {}", text(&member["name"]), text(&member["addr"])));
                // A failed member stated its health while it lived.
                if member["state"] == "alive" || member["health"] != "passing" {
                    words.push(format!("health={}", text(&member["health"])));
                }
                if wide {
                    words.push(format!("incarnation={} tags={}", member["incarnation"], member["tags"]));
                }
            }
            if let Some(reason) = data["why"]["reason"].as_str() {
                words.push(reason.to_owned());
            }
            for (field, value) in data.as_object().into_iter().flatten() {
                if !matches!(field.as_str(), "kind" | "member" | "why") && !value.is_null() {
                    words.push(format!("{field}={}", text(value)));
                }
            }
            words.join("  ")
        }
    }
}

/// A value without the quotes of a text.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(name: &str, data: &Value) -> String {
        let event = SseEvent { name: name.to_owned(), data: data.to_string(), id: Some("x-1".to_owned()) };
        as_line(Paint::off(), Output::Table, &event).unwrap()
    }

    #[test]
    fn each_event_is_one_line() {
        let mut member = json!({ "name": "b", "addr": "10.0.0.2:1", "state": "failed", "health": "passing" });
        let why = json!({ "reason": "silent for 5.0 s", "accusers": ["a"] });
        let failed = line("node_failed", &json!({ "kind": "node_failed", "member": member, "why": why }));
        assert_eq!(failed, "node_failed            b at 10.0.0.2:1  silent for 5.0 s\n");
        member["state"] = "alive".into();
        let updated = line("node_updated", &json!({ "kind": "node_updated", "member": member }));
        assert_eq!(updated, "node_updated           b at 10.0.0.2:1  health=passing\n");
        let sent = line(
            "user_event",
            &json!({ "kind": "user_event", "from": "a", "name": "deploy", "payload": "x\ny" }),
        );
        assert_eq!(sent, "user_event             from=a  name=deploy  payload=x\\ny\n");
        let first =
            line("snapshot", &json!({ "node": "a", "members": [{ "state": "alive" }, { "state": "left" }] }));
        assert!(first.ends_with("1 of 2 known nodes are alive, as a sees it\n"), "{first}");
        assert!(line("lost", &json!({ "count": 3 })).contains("3 events were missed"));
        assert!(line("lost", &json!({ "count": null })).contains("started again"));
    }

    #[test]
    fn json_line_has_name_and_id() {
        let event = SseEvent { name: "lost".to_owned(), data: "{\"count\":3}".to_owned(), id: None };
        let line = as_line(Paint::off(), Output::Jsonl, &event).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&line).unwrap(),
            json!({ "count": 3, "event": "lost", "id": null })
        );
    }
}
