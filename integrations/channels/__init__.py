"""The ways to people: mail, chats, webhooks. Each fulfils `integrations.letters.Channel`; `building` makes them from what a file says."""
