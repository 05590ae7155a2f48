export const showDemo = (..._: unknown[]): string => ''
