/** One thing looked at: whether it is right, what was found, and what to do where something can be done. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  readonly remedy: string | null;
}
