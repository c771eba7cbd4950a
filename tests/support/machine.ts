// Where a test lets a server run: on this machine as it is, or on one that the test has made.
export interface Machine {
	/** Where its servers listen. */
	readonly listen: string;
	/** Under which address tests reach them. */
	readonly front: string;
	/** Under which address they reach each other. */
	readonly back: string;
	/** The words of a command that runs there. What is started is the program itself: a signal reaches it. */
	words(program: string, parameters: readonly string[]): { program: string; parameters: string[] };
}

export const THIS_MACHINE: Machine = {
	...{ listen: '127.0.0.1', front: '127.0.0.1', back: '127.0.0.1' },
	words: (program, parameters) => ({ program, parameters: [...parameters] }),
};
