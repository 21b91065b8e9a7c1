// A map that is made for its first entry and given back with its last. An empty Map takes 200 bytes,
// and a connection at rest has a dozen of them; one that runs empty makes a new table each time.

export class LateMap<K, V> {
  #map: Map<K, V> | undefined;

  get size(): number {
    return this.#map?.size ?? 0;
  }

  get(key: K): V | undefined {
    return this.#map?.get(key);
  }

  has(key: K): boolean {
    return this.#map?.has(key) === true;
  }

  set(key: K, value: V): void {
    (this.#map ??= new Map<K, V>()).set(key, value);
  }

  delete(key: K): boolean {
    const map = this.#map;
    if (map === undefined || !map.has(key)) return false;
    if (map.size === 1) this.#map = undefined;
    else map.delete(key);
    return true;
  }

  /** In order of their setting. */
  values(): Iterable<V> {
    return this.#map?.values() ?? [];
  }

  clear(): void {
    this.#map = undefined;
  }
}
