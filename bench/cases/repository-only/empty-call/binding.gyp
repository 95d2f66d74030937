{
  "targets": [
    {
      "target_name": "empty_call",
      "sources": ["empty-call.c"],
      "defines": ["NAPI_VERSION=8"]
    }
  ]
}
