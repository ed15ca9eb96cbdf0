export const DOCUMENT_BYTES: number;
export function makeText(): string;
export function makeDocument(text: string, n: number): { _id: string; [field: string]: unknown };
