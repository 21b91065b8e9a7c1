// What the reports share: the place in a document between markers, and tables of Markdown.

/** Replaces what is between the markers of this name; appends a section where there are none. */
export function splice(document: string, name: string, content: string): string {
  const [start, end] = [`<!-- figures:${name} -->`, `<!-- /figures:${name} -->`];
  const from = document.indexOf(start);
  const to = document.indexOf(end);
  const block = `${start}\n\n${content}\n\n${end}`;
  if (from < 0 || to < from) return `${document.trimEnd()}\n\n## ${name}\n\n${block}\n`;
  return document.slice(0, from) + block + document.slice(to + end.length);
}

/** As the project's formatter writes it. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(Math.max(3, width)));
  return [line(rows[0]!), line(rule), ...rows.slice(1).map(line)].join("\n");
}
