// docs/events.md's tables, from the table of events.

import { EVENTS, TOPICS, topicOf, EVENT_TYPES } from "../../src/actors/events/event-table.js";
import type { NetworkEventType } from "../../src/actors/events/event-types.js";

export function renderEvents(): string {
  const tables = TOPICS.map((topic) => {
    return renderTable(`\`${topic}\``, (type) => topicOf(type) === topic);
  });
  return [...tables, renderTable("What was missed", (type) => topicOf(type) === undefined)].join("\n");
}

function renderTable(title: string, isIn: (type: NetworkEventType) => boolean): string {
  const rows = EVENT_TYPES.filter(isIn).map((type) => {
    const { name, text, members } = EVENTS[type];
    const each = Object.entries(members).map(([member, what]) => `\`${member}\`: ${what}`);
    return `| \`${name}\` | \`${type}\` | ${text} | ${each.join("; ")} |`;
  });
  const head = ["| over HTTP | in code | when it is told | members |", "| --- | --- | --- | --- |"];
  return [`### ${title}`, "", ...head, ...rows, ""].join("\n");
}
