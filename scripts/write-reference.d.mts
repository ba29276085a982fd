export function referencePages(): Promise<Readonly<Record<string, string>>>;
