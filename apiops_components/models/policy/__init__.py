"""ngrok's traffic policies: `action` (what they share), `actions`, `union`, `document` (phases and rules), `cel`."""
