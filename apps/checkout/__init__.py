"""Order processing: five services that place, reserve, charge, ship and tell, with nobody in charge."""
