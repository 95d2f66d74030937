// Prints the book of the shop at `port`: node book.js '{ "port": 8080 }'
const { port } = JSON.parse(process.argv[2] ?? '{}');
const response = await fetch(`http://127.0.0.1:${port}/book`);
console.log(await response.text());
