// Handles an order by doing nothing.
export default () => {};
