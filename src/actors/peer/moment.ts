// One instant on both clocks: waits are judged by the first, what is stored by the second.

export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}
