/** Open before, during and after every replacement. */
export const ALLOWED_PORT = 5_000
/** Closed before, during and after every replacement. */
export const FORBIDDEN_PORT = 5_001
