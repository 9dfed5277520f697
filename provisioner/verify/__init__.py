"""Questions to the clouds themselves, asked through their SDKs: one file per cloud."""
