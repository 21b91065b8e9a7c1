// Reads a TAP stream line by line as it arrives: counts results and prints each one, failures
// with their diagnostics. Knows the part of TAP 13 that ava writes.

export class TapReader {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** Titles of what failed. */
  failures = [];
  #rest = "";
  #failing = false;
  #diagnostics = false;
  #print;

  /** `print` takes each line for people; the default is standard output. */
  constructor({ print = (line) => console.log(line) } = {}) {
    this.#print = print;
  }

  /** Takes the next piece of the stream. */
  push(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  /** Takes what stood after the last line break. */
  end() {
    if (this.#rest !== "") this.#line(this.#rest);
    this.#rest = "";
  }

  #line(line) {
    if (this.#diagnostics) {
      if (line.trim() === "...") this.#diagnostics = false;
      else if (this.#failing) this.#print(`    ${line}`);
      return;
    }
    if (line.trim() === "---") {
      this.#diagnostics = true;
      return;
    }
    const result = /^(not )?ok\b(?: \d+)?(?: - )?(.*)$/.exec(line);
    if (result) this.#result(result[1] === undefined, result[2]);
    else if (line.startsWith("Bail out!")) this.#result(false, line);
    else if (this.#failing && !line.startsWith("#") && line.trim() !== "") this.#print(line);
  }

  #result(ok, title) {
    const skipped = / # (SKIP|TODO)\b/i.test(title);
    this.#failing = !ok && !skipped;
    if (skipped) this.skipped += 1;
    else if (ok) this.passed += 1;
    else {
      this.failed += 1;
      this.failures.push(title);
    }
    this.#print(`  ${skipped ? "-" : ok ? "✔" : "✘"} ${title}`);
  }
}
