export interface Shown {
  readonly text: string;
  readonly within?: number | undefined;
}
export interface Block {
  readonly command: string;
  readonly skipped: string | undefined;
  readonly shown?: Shown;
}
export function blocksOf(page: string): Block[];
export function difference(shown: Shown, printed: string): string | undefined;
