"""Who they are: people, custody, contact points, incidents, and the rosters they come from."""
