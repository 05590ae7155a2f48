/** The rest of the input is not read; what came before counts where malformed records are passed over. */
export class EndOfInput extends Error {}
