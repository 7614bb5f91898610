"""ngrok's traffic policies: `action` (what they share), `actions`, `document` (phases and rules), `cel`."""
