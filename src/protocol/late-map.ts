// A map that is nothing while it was never used, and its one entry while it never had two. An empty
// Map takes 200 bytes, and a connection at rest has a dozen of them; one that runs empty makes a new
// table for the next entry, and most of these go from none to one and back.

class Single<K, V> {
  readonly key: K;
  value: V;

  constructor(key: K, value: V) {
    this.key = key;
    this.value = value;
  }
}

export class LateMap<K, V> {
  /** A Map from the second entry on: it stays. */
  #held: Map<K, V> | Single<K, V> | undefined;

  get size(): number {
    const held = this.#held;
    if (held === undefined) return 0;
    return held instanceof Single ? 1 : held.size;
  }

  get(key: K): V | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    if (held instanceof Single) return held.key === key ? held.value : undefined;
    return held.get(key);
  }

  has(key: K): boolean {
    const held = this.#held;
    if (held === undefined) return false;
    return held instanceof Single ? held.key === key : held.has(key);
  }

  set(key: K, value: V): void {
    const held = this.#held;
    if (held === undefined) this.#held = new Single(key, value);
    else if (!(held instanceof Single)) held.set(key, value);
    else if (held.key === key) held.value = value;
    else this.#held = new Map<K, V>().set(held.key, held.value).set(key, value);
  }

  delete(key: K): boolean {
    const held = this.#held;
    if (held === undefined) return false;
    if (!(held instanceof Single)) return held.delete(key);
    if (held.key !== key) return false;
    this.#held = undefined;
    return true;
  }

  /** In order of their setting. */
  values(): Iterable<V> {
    const held = this.#held;
    if (held === undefined) return [];
    return held instanceof Single ? [held.value] : held.values();
  }

  clear(): void {
    this.#held = undefined;
  }
}
