// The whole app runs in the browser: there is nothing that a server could or should draw.
export const ssr = false;
export const prerender = false;
