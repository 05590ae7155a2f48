export const demoPage = (_: unknown): string => ''
