// MempoolStore on a key-value engine: pages among the single records, as those of the address book:
// a table of their own would be somebody else's to the releases before, which leave these alone.

import type { MempoolPage, MempoolStore } from "../ports.js";
import type { KeyValue, SharedKeyValue } from "./key-value.js";
import { KEY_BYTES_MAX, Table } from "./tables.js";
import { invariant } from "../errors.js";

const PREFIX = "mempool/";

export class KeyValueMempoolStore implements MempoolStore {
  readonly close: () => Promise<void>;
  private readonly engine: KeyValue;

  constructor(shared: SharedKeyValue) {
    this.engine = shared.engine;
    this.close = shared.use();
  }

  names(): readonly string[] {
    const keys = this.engine.keys(Table.meta, Infinity).filter((key) => key.startsWith(PREFIX));
    return keys.map((key) => key.slice(PREFIX.length));
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    const { engine } = this;
    if (engine.read === undefined) return engine.get(Table.meta, PREFIX + name);
    const [page] = await engine.read(Table.meta, [PREFIX + name], Number.MAX_SAFE_INTEGER);
    return page;
  }

  write(pages: readonly MempoolPage[]): Promise<void> {
    const refusal = this.engine.refusal();
    if (refusal) return Promise.reject(refusal);
    for (const { name, bytes } of pages) {
      const key = PREFIX + name;
      invariant(key.length <= KEY_BYTES_MAX, "the name of a page is short");
      if (bytes === undefined) this.engine.delete(Table.meta, key);
      else this.engine.put(Table.meta, key, bytes);
    }
    return this.engine.durable();
  }
}
