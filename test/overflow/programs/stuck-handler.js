// A handler that never ends.
export default () => new Promise(() => {});
