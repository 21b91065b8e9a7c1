/** A message of any protocol. */
export interface AnyMessage {
  readonly kind: string;
}
